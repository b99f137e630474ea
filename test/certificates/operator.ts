import {
  createAccount,
  createOperator,
  createUser,
  encodeAccount,
  encodeOperator,
  encodeUser,
  fmtCreds,
} from '@nats-io/jwt'

export type OperatorAccount = {
  /** Public key. */
  readonly id: string
  /** A credentials file of a new user, valid until `endsAt` (whole seconds). @default without an end */
  creds(user: string, endsAt?: Date): Promise<string>
  /** Configuration of a server that takes these credentials no more: the account's JWT says that they are revoked. */
  revoking(creds: string): Promise<string>
}

/** A server in operator mode: users are known by JWTs that an account of the operator signed, as `nsc` makes them. */
export async function operatorOf(name: string): Promise<{ config: string; account: OperatorAccount }> {
  const operator = createOperator()
  const [account, system] = [createAccount(), createAccount()]
  // What is left out is none.
  const unlimited = {
    conn: -1,
    leaf: -1,
    subs: -1,
    data: -1,
    payload: -1,
    imports: -1,
    exports: -1,
    wildcards: true,
    mem_storage: -1,
    disk_storage: -1,
    streams: -1,
    consumer: -1,
  }
  const ids = [account.getPublicKey(), system.getPublicKey()] as const
  const systemJwt = await encodeAccount('SYS', system, {}, { signer: operator })
  const own = await encodeOperator(name, operator, { system_account: ids[1] })
  /** @param revocations Until when JWTs were issued that are revoked, unix seconds, by the public key of a user. */
  const configOf = async (revocations: Record<string, number>): Promise<string> => {
    const jwt = await encodeAccount('MESH', account, { limits: unlimited, revocations }, { signer: operator })
    return [
      `operator: ${own}`,
      'resolver: MEMORY',
      `resolver_preload: { ${ids[0]}: ${jwt}, ${ids[1]}: ${systemJwt} }`,
      `system_account: ${ids[1]}`,
    ].join('\n')
  }
  return {
    config: await configOf({}),
    account: {
      revoking: (creds) => configOf({ [userIn(creds)]: Math.ceil(Date.now() / 1000) }),
      id: ids[0],
      async creds(user, endsAt) {
        const pair = createUser()
        const exp = endsAt && Math.floor(endsAt.getTime() / 1000)
        const jwt = await encodeUser(user, pair, account, {}, exp === undefined ? {} : { exp })
        return new TextDecoder().decode(fmtCreds(jwt, pair))
      },
    },
  }
}

/** The public key of the user in a credentials file. */
function userIn(creds: string): string {
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]+$/m.exec(creds)![1]!
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub: string }).sub
}
