/* The computers with most events, and how many different ones each has. */
select computer, cast(sum(events) as bigint) as events, count(distinct event_id) as event_ids
from event_counts
group by computer
order by events desc, computer nulls last
limit 20
