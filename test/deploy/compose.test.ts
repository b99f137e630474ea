import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { jaegerLinks } from '@malha/stack'
import { DCLinter } from 'dclint'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { composePath, isOurs, readCompose, root, targetOf } from './compose-file.ts'
import { readDockerfile } from './dockerfile.ts'

const compose = readCompose()
const services = Object.entries(compose.services)
const ours = services.filter(([, service]) => isOurs(service))
const folder = `${root}deploy/compose/`

test('compose.yaml is valid by the schema of the Compose Specification, with every port on this machine alone', () => {
  const linter = new DCLinter({
    // An image of ours has both, so that a build is tagged; parts are ordered by what they are for.
    rules: {
      'no-build-and-image': 0,
      'service-keys-order': 0,
      'services-alphabetical-order': 0,
      'top-level-properties-order': 0,
      'service-dependencies-alphabetical-order': 0,
      'no-quotes-in-volumes': 0,
    },
    quiet: false,
    debug: false,
    exclude: [],
  })
  // Its types name files without their endings.
  const found = linter.lintFiles([composePath], false) as { messages: { line: number; message: string }[] }[]
  expect(found.flatMap(({ messages }) => messages.map(({ line, message }) => `${line}: ${message}`))).toEqual([])
})

test('every image is pinned by a full version, ours by that of the packages', () => {
  const { version } = JSON.parse(readFileSync(`${root}packages/cli/package.json`, 'utf8')) as { version: string }
  const unpinned = services.filter(([, { image }]) => !/:v?\d+\.\d+\.\d+(\.\d+)?(-alpine)?$/.test(image))
  expect(unpinned.map(([name]) => name)).toEqual([])
  expect(ours.filter(([, { image }]) => !image.endsWith(`:${version}`)).map(([name]) => name)).toEqual([])
})

test('every image of ours is built once, by its target of the Dockerfile, and says the release of its tag', () => {
  const stages = readDockerfile()
  const built = ours.flatMap(([, { image, build }]) => (build ? [{ image, build }] : []))
  // Built for each of several services, it would be another image each time, and all of their containers be made anew.
  expect(built.map(({ image }) => image).toSorted()).toEqual(
    [...new Set(ours.map(([, { image }]) => image))].toSorted(),
  )
  for (const { image, build } of built) {
    expect(`malha/${build.target}:${build.args.VERSION}`).toBe(image)
    expect(stages.get(build.target)?.from).toBe('runtime')
  }
})

test('every program of ours has an init before it, so that it can be stopped before it listens', () => {
  expect(ours.filter(([, { init }]) => init !== true).map(([name]) => name)).toEqual([])
})

test('every container has a root that it cannot write, no capability, and no way to get one', () => {
  for (const [name, service] of services)
    expect([name, service.read_only, service.cap_drop, service.security_opt, service.privileged]).toEqual([
      name,
      true,
      ['ALL'],
      ['no-new-privileges:true'],
      undefined,
    ])
})

test('whoever runs on is asked whether it is well, and whoever needs another waits until that is', () => {
  const ends = new Set(['provision', 'malha'])
  const unasked = services.filter(([name, { healthcheck }]) => !healthcheck && !ends.has(name))
  expect(unasked.map(([name]) => name)).toEqual([])
  const wrong = services.flatMap(([, { depends_on = {} }]) =>
    Object.entries(depends_on).filter(
      ([name, { condition }]) =>
        condition !== (ends.has(name) ? 'service_completed_successfully' : 'service_healthy') ||
        !(name in compose.services),
    ),
  )
  expect(wrong).toEqual([])
})

test('every host that a service is given exists, or is where people are', () => {
  const hosts = ours.flatMap(([name, { environment = {} }]) =>
    Object.entries(environment).flatMap(([variable, text]) => {
      const host = URL.parse(text)?.hostname
      return host ? [{ name, variable, host }] : []
    }),
  )
  expect(hosts.length).toBeGreaterThan(20)
  const forPeople = new Set(['console CONSOLE_ORIGIN', 'console JAEGER_URL', 'notifier MALHA_NOTIFY_CONSOLE_URL'])
  const lost = hosts.filter(({ name, variable, host }) =>
    forPeople.has(`${name} ${variable}`) ? host !== 'localhost' : !(host in compose.services),
  )
  expect(lost).toEqual([])
})

test('every variable that a service of ours is given is on the configuration page', () => {
  const page = readFileSync(`${root}docs/reference/configuration.md`, 'utf8')
  const known = new Set([...page.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map((match) => match[1]))
  const stages = readDockerfile()
  const given = ours.flatMap(([, service]) =>
    Object.keys({ ...stages.get(targetOf(service))?.env, ...service.environment }),
  )
  const ofNode = new Set(['NODE_ENV', 'HOME'])
  expect([...new Set(given)].filter((name) => !known.has(name) && !ofNode.has(name))).toEqual([])
})

test('a secret is a file: nobody is given one as a variable', () => {
  const secret = /(PASSWORD|TOKEN|SECRET|SEED|KEY)$/
  const named = services.flatMap(([name, { environment = {} }]) =>
    Object.entries(environment)
      .filter(([variable, text]) => secret.test(variable) || /:\/\/[^/]*@/.test(text))
      .map(([variable]) => `${name}: ${variable}`),
  )
  expect(named).toEqual([])
  const used = services.flatMap(([, { secrets = [] }]) => secrets)
  expect(used.filter((name) => !(name in compose.secrets))).toEqual([])
  for (const [name, { environment = {}, secrets = [] }] of services) {
    const files = Object.values(environment).flatMap((text) => /^\/run\/secrets\/(.+)$/.exec(text)?.[1] ?? [])
    expect([name, files.toSorted()]).toEqual([name, [...secrets].toSorted()])
  }
})

test('what is mounted from this repository is there, and each volume has a name', () => {
  const sources = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0]!))
  const files = sources.filter((source) => source.startsWith('.') && !source.startsWith('./secrets/'))
  // Generated, and tested there.
  expect(files.filter((file) => !file.startsWith('../generated/') && !existsSync(folder + file))).toEqual([])
  const named = sources.filter((source) => !source.startsWith('.'))
  expect([...new Set(named)].toSorted()).toEqual(Object.keys(compose.volumes).toSorted())
})

test("Jaeger's page leads back to the console of compose.yaml", () => {
  const origin = compose.services['console']?.environment?.['CONSOLE_ORIGIN'] ?? ''
  expect(JSON.parse(readFileSync(`${folder}jaeger/ui.json`, 'utf8'))).toEqual(jaegerLinks(origin))
})

test('Prometheus scrapes every process of compose.yaml that has metrics, and no other', () => {
  const Config = z.object({
    scrape_configs: z.array(
      z.object({
        dns_sd_configs: z.array(z.object({ names: z.array(z.string()), port: z.int() })).default([]),
        static_configs: z.array(z.object({ targets: z.array(z.string()) })).default([]),
      }),
    ),
  })
  const { scrape_configs } = Config.parse(parse(readFileSync(`${folder}prometheus.yml`, 'utf8')))
  const names = scrape_configs.flatMap(({ dns_sd_configs }) => dns_sd_configs.flatMap((one) => one.names))
  const measured = ours.filter(([, { healthcheck }]) => healthcheck?.test.join(' ').includes(':9090/readyz'))
  expect(names.toSorted()).toEqual(measured.map(([name]) => name).toSorted())
  expect(scrape_configs.flatMap(({ static_configs }) => static_configs.flatMap((one) => one.targets))).toEqual([
    'nats-exporter:7777',
    'localhost:9090',
  ])
})

test('Prometheus looks at every file of rules that is generated, and at no test of one', () => {
  const { rule_files } = z
    .object({ rule_files: z.array(z.string()) })
    .parse(parse(readFileSync(`${folder}prometheus.yml`, 'utf8')))
  const generated = readdirSync(`${folder}../generated/monitoring/rules`).filter((file) => !file.endsWith('_test.yaml'))
  expect(rule_files).toEqual(generated.map((file) => `/etc/malha/rules/${file}`).toSorted())
  expect(compose.services['prometheus']?.volumes).toContain('../generated/monitoring/rules:/etc/malha/rules:ro')
})
