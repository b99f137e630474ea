import { stringify } from 'yaml'
import type { Workload } from '../deployment.ts'

/** An object of Kubernetes, as far as every one is alike. */
export type KubeObject = {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> }
  [field: string]: unknown
}

/** Several as one text of YAML. */
export const yamlOf = (objects: readonly KubeObject[]): string =>
  objects.map((one) => stringify(one, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n')

/** What finds the pods of a workload. Of a Deployment that runs it can't be changed, so it holds nothing that does. */
export const selectorOf = ({ name }: Pick<Workload, 'name'>): Record<string, string> => ({
  'app.kubernetes.io/name': name,
})

/** A component may be taken into several overlays, and changes what is there before it. */
export type KustomizationKind = 'Kustomization' | 'Component'

/** What a kustomization changes of an object that is there before it. */
export type Patch = {
  readonly target: { readonly kind: string; readonly name: string }
  /** Operations of a JSON patch (RFC 6902). */
  readonly operations: readonly { readonly op: 'add'; readonly path: string; readonly value: unknown }[]
}

/** A kustomization of files beside it. */
export const kustomizationOf = (
  kind: KustomizationKind,
  resources: readonly string[],
  patches: readonly Patch[] = [],
): string =>
  stringify({
    apiVersion: kind === 'Kustomization' ? 'kustomize.config.k8s.io/v1beta1' : 'kustomize.config.k8s.io/v1alpha1',
    kind,
    resources,
    ...(patches.length > 0 && {
      patches: patches.map(({ target, operations }) => ({ target, patch: stringify(operations) })),
    }),
  })
