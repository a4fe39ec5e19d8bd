/* How many events there were in each hour, by event id. Of five minutes that are counted already, so it is cheap. */
select date_trunc('hour', bucket) as hour, event_id, cast(sum(events) as bigint) as events
from event_counts
group by date_trunc('hour', bucket), event_id
order by hour, event_id nulls last
