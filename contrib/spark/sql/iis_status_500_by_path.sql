/* Where status 500 comes from: paths, with what IIS adds to the status and the slowest answer. */
select cs_uri_stem as path, sc_substatus, sc_win32_status, count(*) as failed, max(time_taken) as slowest_ms
from iis
where sc_status = 500
group by cs_uri_stem, sc_substatus, sc_win32_status
order by failed desc, path nulls last, sc_substatus nulls last, sc_win32_status nulls last
limit 100
