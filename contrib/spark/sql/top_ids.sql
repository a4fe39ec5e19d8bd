/* What there is most of. */
select channel, event_id, cast(sum(events) as bigint) as events
from event_counts
group by channel, event_id
order by events desc, channel nulls last, event_id nulls last
limit 20
