select count(*) as n, min(time) as first_seen from events where message like '%svchost.exe%' and message like '%SRV0003%'
