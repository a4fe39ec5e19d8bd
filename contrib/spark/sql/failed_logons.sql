/* Logons that failed, by account and hour, from how many addresses, and the first and last of them. */
select target_user as account, date_trunc('hour', time) as hour, count(*) as attempts,
  count(distinct ip_address) as addresses, min(time) as first_seen, max(time) as last_seen
from events
where event_id = 4625 and provider = 'Microsoft-Windows-Security-Auditing'
group by target_user, date_trunc('hour', time)
order by attempts desc, account nulls last, hour nulls last
