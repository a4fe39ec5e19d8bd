select computer, count(*) as n from events group by computer order by n desc, computer limit 10
