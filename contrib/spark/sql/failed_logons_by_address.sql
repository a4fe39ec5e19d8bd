/* Where failed logons come from, and how many accounts were tried there: many accounts of one address are a spray. */
select ip_address as address, count(distinct target_user) as accounts, count(*) as attempts,
  min(time) as first_seen, max(time) as last_seen
from events
where event_id = 4625 and provider = 'Microsoft-Windows-Security-Auditing' and ip_address is not null
group by ip_address
order by accounts desc, attempts desc, address
limit 100
