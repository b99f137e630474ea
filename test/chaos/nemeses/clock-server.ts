/** A process for the tests of nemeses: says over HTTP what its clocks and its environment say. */
import { createServer } from 'node:http'

createServer((_, response) => {
  const said = { wallMs: Date.now(), newMs: new Date().getTime(), monotonicMs: performance.now(), pid: process.pid }
  response.end(JSON.stringify({ ...said, release: import.meta.dirname }))
}).listen(Number(process.env['PORT']), '127.0.0.1')
