/**
 * Runs the ClickHouse engine of npm's chDB as an HTTP server on 127.0.0.1: `node launcher.ts DIR PORT CONFIG`.
 *
 * The library's command line entry is `clickhouse-local`, which can open a listener (ClickHouse pull request 101143) and
 * then waits here for the end of stdin. So the server ends when the parent closes the pipe, in about five seconds, or on
 * SIGTERM, in about two. `file('-')` and not `/dev/stdin`: Node's pipes are sockets, which cannot be opened by path.
 */
import { createRequire } from 'node:module'
import { DataType, load, open } from 'ffi-rs'

const LISTEN = "SYSTEM START LISTEN HTTP; SELECT count() FROM file('-', LineAsString, 'line String') FORMAT Null"

const [dir = '', port = '', config = ''] = process.argv.slice(2)
// chDB pins its engine package; only from there is it found.
const engine = createRequire(createRequire(import.meta.url).resolve('chdb')).resolve('@chdb/lib-linux-x64-gnu')
open({ library: 'chdb', path: engine.replace(/index\.js$/, 'libchdb.so') })

const args = ['clickhouse-local', `--config-file=${config}`, '--path', dir, '--listen_host=127.0.0.1']
args.push(`--http_port=${port}`, '--query', LISTEN)
const result = load({
  library: 'chdb',
  funcName: 'chdb_query_cmdline',
  retType: DataType.External,
  paramsType: [DataType.I32, DataType.StringArray],
  paramsValue: [args.length, args],
})
const fault = load({
  library: 'chdb',
  funcName: 'chdb_result_error',
  retType: DataType.String,
  paramsType: [DataType.External],
  paramsValue: [result],
})
if (fault) process.stderr.write(`${fault}\n`)
// After a failed start the engine lingers for seconds and then crashes: end here, with nothing of it left to run.
process.kill(process.pid, 'SIGKILL')
