/* How many events there were in each hour, by account. Of five minutes that are counted already, so it is cheap. */
select date_trunc('hour', bucket) as hour, account, cast(sum(events) as bigint) as events
from event_counts
group by date_trunc('hour', bucket), account
order by hour, account nulls last
