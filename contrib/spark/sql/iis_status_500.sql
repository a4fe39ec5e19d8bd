/* Requests that ended with status 500, by hour, beside all requests. */
select date_trunc('hour', time) as hour, sum(case when sc_status = 500 then 1 else 0 end) as failed, count(*) as requests
from iis
group by date_trunc('hour', time)
order by hour nulls last
