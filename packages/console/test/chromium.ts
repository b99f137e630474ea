import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Browser, chromium } from 'playwright-core'

/**
 * A headless Chromium: `CHROMIUM_BIN`, one on PATH, or the one in the npm package @sparticuz/chromium, which is unpacked once
 * into the cache, with the few shared libraries it needs beyond those of a bare Debian.
 */
export async function launchChromium(): Promise<Browser> {
  const found = process.env['CHROMIUM_BIN'] || (await onPath(['chromium', 'chromium-browser', 'google-chrome']))
  if (found) return await chromium.launch({ executablePath: found, args: ARGS, env: { ...process.env, ...LANGUAGE } })
  const folder = await unpacked()
  return await chromium.launch({
    executablePath: join(folder, 'chromium'),
    args: ARGS,
    env: {
      ...process.env,
      ...LANGUAGE,
      LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'),
      FONTCONFIG_PATH: join(folder, 'fonts'),
    },
  })
}

/** Of one that is told none, Chromium makes a language that it does not know itself. */
const LANGUAGE = { LC_ALL: 'en_US.UTF-8', LANGUAGE: 'en_US' }

/** In a container the tests may be root's, for whom Chromium has no sandbox; they open nothing but the console. */
const ARGS = ['--no-sandbox', '--disable-dev-shm-usage']

async function onPath(names: readonly string[]): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of names) {
      const file = join(folder, name)
      if (await isThere(file)) return file
    }
  return undefined
}

const require = createRequire(import.meta.url)

async function unpacked(): Promise<string> {
  const entry = require.resolve('@sparticuz/chromium')
  const { version } = require(join(dirname(entry), '..', 'package.json')) as { version: string }
  const cache = process.env['MALHA_CACHE'] || join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'malha')
  const folder = join(cache, `chromium-${version}`)
  if (await isThere(folder)) return folder
  await mkdir(cache, { recursive: true })
  const scrap = await mkdtemp(join(cache, '.chromium-'))
  try {
    // It unpacks into the folder for temporary files of its process, and nowhere else.
    const script = `
      const { default: chromium, inflate } = await import(${JSON.stringify(entry)})
      await chromium.executablePath()
      await inflate(${JSON.stringify(join(dirname(entry), '..', 'bin', 'al2023.tar.br'))})`
    const env = { ...process.env, TMPDIR: scrap }
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env })
    await writeFile(join(scrap, 'fonts', 'fonts.conf'), fontsIn(folder))
    // Another test may have been faster; then its is as good.
    await rename(scrap, folder).catch(() => undefined)
    return folder
  } finally {
    await rm(scrap, { recursive: true, force: true })
  }
}

/** A machine may have no font at all, and then Chromium ends. */
function fontsIn(folder: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(folder, 'fonts')}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(folder, 'font-cache')}</cachedir>
</fontconfig>
`
}

async function isThere(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  )
}
