/** A browser without a page: it keeps cookies and follows where it is led, one step at a time. */
export class Visitor {
  readonly #cookies = new Map<string, string>()

  get cookies(): ReadonlyMap<string, string> {
    return this.#cookies
  }

  /** Where it leads, or the page. */
  async open(
    url: string,
    form?: Record<string, string>,
  ): Promise<{ status: number; to: string | undefined; text: string; setCookies: string[] }> {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
    const setCookies = response.headers.getSetCookie()
    for (const line of setCookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '' || /expires=Thu, 01 Jan 1970/i.test(line)) this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    const location = response.headers.get('location')
    const to = location === null ? undefined : new URL(location, url).href
    return { status: response.status, to, text: await response.text(), setCookies }
  }

  /** From the sign-in of a console to the address that its issuer leads back to, which is not opened. */
  async signIn(console: string, name: string, to = '/letters'): Promise<string> {
    let { to: next } = await this.open(`${console}/api/session/oidc?to=${encodeURIComponent(to)}`)
    for (let steps = 0; steps < 10 && next !== undefined && !next.startsWith(console); steps += 1) {
      const page = await this.open(next)
      next = page.to ?? (await this.open(next, { prompt: 'login', login: name, password: 'any' })).to
    }
    return next!
  }
}
