import { run } from './run.ts'
import { welcome } from './service.ts'

await run(welcome('http://127.0.0.1:7200'))
