/* The accounts with most events, and on how many computers. */
select account, cast(sum(events) as bigint) as events, count(distinct computer) as computers
from event_counts
where account is not null
group by account
order by events desc, account
limit 20
