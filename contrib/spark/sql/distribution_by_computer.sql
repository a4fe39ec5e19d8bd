/* How many events there were in each hour, by computer. Of five minutes that are counted already, so it is cheap. */
select date_trunc('hour', bucket) as hour, computer, cast(sum(events) as bigint) as events
from event_counts
group by date_trunc('hour', bucket), computer
order by hour, computer nulls last
