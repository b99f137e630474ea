import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { acknowledgements } from './acknowledged.ts'
import { readJournal } from './journal.ts'
import { isWhole, NEVER, readCalls } from './strace-calls.ts'
import { readData, readString, splitArgs } from './strace-line.ts'

/** As strace 6.1 wrote them, of nats-server 2.15.1 with `sync_interval: always`; shortened payloads. */
const RECORDED = String.raw`29979 1795309591.228356 mkdirat(AT_FDCWD</srv>, "/srv/js/$G", 0700) = 0 <0.000041>
29979 1795309591.229644 openat(AT_FDCWD</srv>, "/srv/js/$G/1.blk", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 11</srv/js/$G/1.blk> <0.000035>
29979 1795309591.230137 openat(AT_FDCWD</srv>, "/srv/js/meta.inf.tmp", O_WRONLY|O_CREAT|O_TRUNC|O_SYNC|O_CLOEXEC, 0600) = 12</srv/js/meta.inf.tmp> <0.000031>
29979 1795309591.230226 write(12</srv/js/meta.inf.tmp>, "{\"name\":\"S\"}", 12) = 12 <0.000222>
29979 1795309591.230803 renameat(AT_FDCWD</srv>, "/srv/js/meta.inf.tmp", AT_FDCWD</srv>, "/srv/js/meta.inf") = 0 <0.000044>
29976 1795309591.229034 write(7<anon_inode:[eventfd]>, "\1\0\0\0\0\0\0\0", 8 <unfinished ...>
29979 1795309591.230893 openat(AT_FDCWD</srv>, "/srv/js", O_RDONLY|O_CLOEXEC) = 12</srv/js> <0.000012>
29976 1795309591.230900 <... write resumed>) = 8 <0.000064>
29979 1795309591.230961 fsync(12</srv/js>) = 0 <0.000110>
29976 1795309591.237108 pwrite64(11</srv/js/$G/1.blk>, "*\4\0\200\1\0\0\0hello) = 3, \"x\" \303\251", 26, 0 <unfinished ...>
29977 1795309591.237200 openat(AT_FDCWD</srv>, "/srv/js/none", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory) <0.000010>
29976 1795309591.237275 <... pwrite64 resumed>) = 26 <0.000167>
29976 1795309591.237300 fsync(11</srv/js/$G/1.blk>) = 0 <0.000088>
29979 1795309591.237500 writev(9<socket:[4715241]>, [{iov_base="MSG _INBOX.vPE.rs1 1 22\r\n{\"stream\":\"S\",\"seq\":1}\r\nMSG _INBOX.vPE.rs2 1 22\r\n{\"stre", iov_len=80}, {iov_base="am\":\"S\",", iov_len=8}], 2) = 88 <0.000031>
29979 1795309591.237600 write(9<socket:[4715241]>, "\"seq\":2}\r\nRMSG $G _INBOX.x 22\r\n{\"stream\":\"S\",\"seq\":9}\r\n", 55) = 55 <0.000031>
29976 1795309591.237700 pwrite64(11</srv/js/$G/1.blk>, "tail", 4, 26 <unfinished ...>
29979 1795309591.237800 +++ killed by SIGKILL +++
`

test('calls come in the order in which they ended, the ones that never did last', () => {
  const calls = readCalls(RECORDED)
  expect(
    calls.filter(({ name }) => name.startsWith('pwrite')).map(({ begunAt, endedAt }) => [begunAt, endedAt]),
  ).toEqual([
    [1795309591237108, 1795309591237275],
    [1795309591237700, NEVER],
  ])
  expect(calls.find(({ name }) => name === 'mkdirat')).toMatchObject({ endedAt: 1795309591228397, result: '0' })
})

test('a journal has what was done to the folder, and nothing else', () => {
  const { ops } = readJournal(readCalls(RECORDED), '/srv/js')
  expect(ops.map(({ kind }) => kind)).toEqual('create create create write rename sync write sync write'.split(' '))
  const [, , , meta, , root, block] = ops
  expect(meta).toMatchObject({ synced: true, offset: 0, data: Buffer.from('{"name":"S"}') })
  expect(root).toMatchObject({ kind: 'sync', inode: 0 })
  expect(block).toMatchObject({ synced: false, sizeBefore: 0 })
  expect((block as { data: Buffer }).data.subarray(8).toString()).toBe('hello) = 3, "x" é')
})

test('an acknowledgement counts from the write that has its end; what goes to another server is none', () => {
  const { sent } = readJournal(readCalls(RECORDED), '/srv/js')
  expect([...acknowledgements([sent])]).toEqual([
    ['S 1', 1795309591237500],
    ['S 2', 1795309591237600],
  ])
})

test('a call that is reported before what it needs waits for it', () => {
  const lines = [
    '1 1.000001 mkdirat(AT_FDCWD</>, "/d/a", 0700 <unfinished ...>',
    '2 1.000002 mkdirat(AT_FDCWD</>, "/d/a/b", 0700) = 0 <0.000001>',
    '1 1.000004 <... mkdirat resumed>) = 0 <0.000003>',
  ]
  const { ops } = readJournal(readCalls(`${lines.join('\n')}\n`), '/d')
  expect(ops).toMatchObject([{ name: 'a' }, { name: 'b' }])
})

test.for([
  ['a shared mapping', '1 1.000001 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3</d/a>, 0) = 0x7f <0.000001>'],
  ['a link', '1 1.000001 linkat(AT_FDCWD</>, "/d/a", AT_FDCWD</>, "/d/b", 0) = 0 <0.000001>'],
  ['sync of everything', '1 1.000001 sync() = 0 <0.000001>'],
])('%s is an error and not passed over', ([, line]) => {
  expect(() => readJournal(readCalls(`${line}\n`), '/d')).toThrow('not understood')
})

test('a string that strace cut short is an error', () => {
  expect(() => readData('"abc"...')).toThrow('cut a string short')
})

test('a trace is whole when the first process was seen to end', () => {
  expect(isWhole(RECORDED)).toBe(true)
  expect(isWhole(RECORDED.replace('+++ killed by SIGKILL +++', '--- SIGKILL ---'))).toBe(false)
})

/** As strace prints a byte: `string_quote` of its util.c. */
function quoted(bytes: Uint8Array): string {
  const named: Record<number, string> = { 9: 't', 10: 'n', 11: 'v', 12: 'f', 13: 'r', 34: '"', 92: '\\' }
  const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x37
  const one = (byte: number, index: number): string => {
    if (named[byte] !== undefined) return `\\${named[byte]}`
    if (byte >= 0x20 && byte < 0x7f) return String.fromCodePoint(byte)
    const octal = byte.toString(8)
    return `\\${isDigit(bytes[index + 1]) ? octal.padStart(3, '0') : octal}`
  }
  return `"${[...bytes].map(one).join('')}"`
}

test('any bytes come back out of what strace makes of them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(readString(quoted(bytes))).toEqual(Buffer.from(bytes))
    }),
  )
})

test('arguments are told apart whatever their strings hold', () => {
  const argument = fc.uint8Array({ maxLength: 30 }).map(quoted)
  fc.assert(
    fc.property(fc.array(argument, { minLength: 1, maxLength: 5 }), (strings) => {
      const args = ['3</a b>', ...strings, '[{iov_base="],", iov_len=2}]', '7']
      expect(splitArgs(args.join(', '))).toEqual(args)
    }),
  )
})
