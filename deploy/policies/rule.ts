import type { Cluster } from './cluster.ts'

/** What is wrong with which object, and what to do. */
export type Finding = { readonly object: string; readonly fix: string }

export type Rule = {
  readonly name: string
  /** Who asks for it: `kube-linter run-as-non-root`; `mesh` for what follows from how this mesh works. */
  readonly askedBy: string
  readonly find: (cluster: Cluster) => readonly Finding[]
}
