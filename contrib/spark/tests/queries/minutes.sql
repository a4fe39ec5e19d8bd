select date_trunc('minute', time) as minute, event_id, count(*) as n from events
group by date_trunc('minute', time), event_id order by minute, event_id
