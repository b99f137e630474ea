export { type Callee, defineDeployment, type Deployment, type Tool, type Workload } from './deployment.ts'
export { DeploymentError, type DeploymentErrorCode } from './errors.ts'
export { type Difference, differences, writeFiles } from './files.ts'
export { generate, type GeneratedFiles, type Generator } from './generate.ts'
