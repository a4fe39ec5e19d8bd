select event_id, count(*) as n, count(distinct computer) as computers from events group by event_id order by n desc, event_id
