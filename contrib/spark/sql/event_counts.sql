/* The five minutes as they are counted. */
select bucket, channel, event_id, computer, account, cast(sum(events) as bigint) as events
from event_counts
group by bucket, channel, event_id, computer, account
order by bucket, channel nulls last, event_id nulls last, computer nulls last, account nulls last
