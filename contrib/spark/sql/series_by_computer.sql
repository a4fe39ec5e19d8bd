/* What spikes are looked for in, of each computer by itself. */
select computer, channel, event_id, bucket, cast(sum(events) as bigint) as events
from event_counts
where computer is not null
group by computer, channel, event_id, bucket
order by computer, channel nulls last, event_id nulls last, bucket
