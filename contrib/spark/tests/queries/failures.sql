select event_data['TargetUserName'] as account, date_trunc('hour', time) as hour, count(*) as n from events
where event_id = 4625 group by event_data['TargetUserName'], date_trunc('hour', time) having count(*) >= 3
order by n desc, account nulls last, hour
