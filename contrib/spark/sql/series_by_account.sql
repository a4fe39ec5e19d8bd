/* What spikes are looked for in, of each account by itself. */
select account, channel, event_id, bucket, cast(sum(events) as bigint) as events
from event_counts
where account is not null
group by account, channel, event_id, bucket
order by account, channel nulls last, event_id nulls last, bucket
