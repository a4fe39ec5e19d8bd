/* How many events there were in each hour, by channel. Of five minutes that are counted already, so it is cheap. */
select date_trunc('hour', bucket) as hour, channel, cast(sum(events) as bigint) as events
from event_counts
group by date_trunc('hour', bucket), channel
order by hour, channel nulls last
