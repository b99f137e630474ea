import { contractsSnapshot, redactorOf } from '@malha/mesh'
import { expect, test } from 'vitest'
import { paymentTaken } from './payment-contract.ts'

test('what the contract of the page marks is hidden, by what a service says of it', () => {
  const [said] = contractsSnapshot([paymentTaken]).contracts
  const payment = { paymentId: 'p-1', cents: 100, card: '4111', customer: { name: 'A', taxNumber: '0815' } }
  expect(redactorOf([said!.schema]).redact(payment).value).toEqual({
    ...payment,
    card: '[redacted]',
    customer: { name: 'A', taxNumber: '[redacted 2]' },
  })
})
