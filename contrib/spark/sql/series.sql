/* What spikes are looked for in: every channel and id in every five minutes. A bucket without events has no row: it counts 0. */
select channel, event_id, bucket, cast(sum(events) as bigint) as events
from event_counts
group by channel, event_id, bucket
order by channel nulls last, event_id nulls last, bucket
