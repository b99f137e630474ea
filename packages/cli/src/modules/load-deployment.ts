import { defineDeployment, type Deployment } from '@malha/deployment'
import { CliError } from '../cli-error.ts'
import { importModule } from './import-module.ts'

/**
 * The deployment that a module of the user's exports. Looked at again, as the module may have written it without `defineDeployment`.
 * @throws CliError CLI_INVALID_OPTION; DeploymentError DEPLOYMENT_INVALID
 */
export async function loadDeployment(module: string): Promise<Deployment> {
  const { deployment } = await importModule(module)
  if (deployment === undefined)
    throw new CliError('CLI_INVALID_OPTION', `${module} exports no deployment; export what defineDeployment(…) returns`)
  return defineDeployment(deployment as Deployment)
}
