/* Who gets status 500: clients, and on how many paths. */
select c_ip as client, count(*) as failed, count(distinct cs_uri_stem) as paths
from iis
where sc_status = 500
group by c_ip
order by failed desc, client nulls last
limit 100
