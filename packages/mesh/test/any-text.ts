import { type Arbitrary, integer, oneof, string } from 'fast-check'

const codePoints = oneof(integer({ min: 0, max: 0x7f }), integer({ min: 0, max: 0x10_ffff }))

/**
 * Text of any code points, lone surrogates among them; half of it is ASCII, which is where line ends and separators are.
 * fast-check's own `unit: 'binary'` knows no surrogates and takes seconds to make its tables.
 */
export const anyText: Arbitrary<string> = string({ unit: codePoints.map((point) => String.fromCodePoint(point)) })
