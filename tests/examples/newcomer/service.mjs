// The service behind the newcomer's tool: GET /hours/DAY on a port of loopback.

import { createServer } from 'node:http';

const hours = { saturday: '10:00 to 13:00' };

const server = createServer((request, response) => {
  const day = /^\/hours\/([a-z]+)$/.exec(request.url)?.[1];
  response.writeHead(day ? 200 : 404, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(day ? { day, open: hours[day] ?? '9:00 to 17:00' } : { error: 'no such day' }));
});
server.listen(Number(process.argv[2] ?? 8090), '127.0.0.1', () => {
  console.log(`listening on ${server.address().port}`);
});
