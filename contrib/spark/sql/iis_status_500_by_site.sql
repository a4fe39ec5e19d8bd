/* Where status 500 comes from: sites. */
select s_sitename as site, count(*) as failed, min(time) as first_seen, max(time) as last_seen
from iis
where sc_status = 500
group by s_sitename
order by failed desc, site nulls last
