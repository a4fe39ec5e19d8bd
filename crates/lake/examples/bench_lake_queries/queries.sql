-- q1 events per minute and id
SELECT date_trunc('minute', time) AS minute, event_id, count(*) AS n
FROM events GROUP BY date_trunc('minute', time), event_id ORDER BY minute, event_id;
-- q2 ten busiest computers
SELECT computer, count(*) AS n FROM events GROUP BY computer ORDER BY n DESC, computer LIMIT 10;
-- q3 failed logons an account and hour, from the map
SELECT event_data['TargetUserName'] AS account, date_trunc('hour', time) AS hour, count(*) AS n
FROM events WHERE event_id = 4625
GROUP BY event_data['TargetUserName'], date_trunc('hour', time)
HAVING count(*) >= 5 ORDER BY n DESC, account, hour;
-- q4 two searches in the message
SELECT count(*) AS n, min(time) AS first_seen FROM events
WHERE message LIKE '%powershell.exe%' AND message LIKE '%user0042%';
-- q5 one account on one day
SELECT event_id, count(*) AS n FROM events
WHERE user_sid = 'S-1-5-21-3623811015-3361044348-30300820-5900' AND date = '2025-11-05'
GROUP BY event_id ORDER BY event_id;
-- q6 events and computers per id
SELECT event_id, count(*) AS n, count(DISTINCT computer) AS computers
FROM events GROUP BY event_id ORDER BY n DESC, event_id;
