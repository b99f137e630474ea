import type { Mesh } from '@malha/mesh'

/**
 * Says to the instances of a service that there is something on the lane of one of its handlers, or that a letter of it was dealt
 * with. Where that is lost they find out by themselves.
 */
export function tellHandler({ nats, names }: Mesh, { service, handler }: { service: string; handler: string }): void {
  nats.publish(names.control(service), handler)
}
