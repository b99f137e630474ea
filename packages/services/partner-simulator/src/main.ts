import { pino } from 'pino'
import { simulatorConfig } from './config.ts'
import { startPartner } from './start-partner.ts'

const log = pino({ base: { service: `partner-${process.env['PARTNER'] ?? 'unnamed'}` } })

try {
  const { logLevel, ...options } = simulatorConfig(process.env)
  log.level = logLevel
  const partner = await startPartner(options)
  log.info({ url: partner.url, control: partner.controlUrl, fault: partner.fault }, 'the partner is ready')
  const stop = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'the partner stops')
    void partner.close()
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
} catch (error) {
  log.fatal(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
