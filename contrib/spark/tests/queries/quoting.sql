select process_name, count(*) as n from events where process_name = 'C:\Windows\System32\svchost.exe' or process_name like '%\\net.exe'
group by process_name order by process_name
