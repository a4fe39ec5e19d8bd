select event_id, count(*) as n from events where target_user = 'svc_backup' and date = '{day}' group by event_id order by event_id
