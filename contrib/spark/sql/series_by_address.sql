/* What spikes are looked for in, of each address by itself, in hours. Every event is read: nothing counts addresses before. */
select ip_address as address, channel, event_id,
  date_trunc('hour', case when cast(time as date) = cast(date as date) then time else received_at end) as hour, count(*) as events
from events
where ip_address is not null
group by ip_address, channel, event_id,
  date_trunc('hour', case when cast(time as date) = cast(date as date) then time else received_at end)
order by address, channel nulls last, event_id nulls last, hour
