/** Every error of the package. A code is never reused. Each has a section in docs/reference/errors.md. */
export const deploymentErrors = {
  DEPLOYMENT_INVALID: 'refuse',
  DEPLOYMENT_FILES: 'refuse',
  DEPLOYMENT_LOAD: 'refuse',
  DEPLOYMENT_CONSTANTS: 'refuse',
} as const

export type DeploymentErrorCode = keyof typeof deploymentErrors

/** A stable code, then what is wrong with what, and what to do. Never carries a secret. */
export class DeploymentError extends Error {
  override readonly name = 'DeploymentError'
  readonly code: DeploymentErrorCode

  constructor(code: DeploymentErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options)
    this.code = code
  }
}
