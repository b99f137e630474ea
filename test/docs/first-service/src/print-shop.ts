import { createServer } from 'node:http'

const port = Number(process.argv[2] ?? 7200)
createServer((request, response) => {
  console.log('a letter, idempotency key', request.headers['idempotency-key'])
  response.writeHead(201).end()
}).listen(port, '127.0.0.1')
