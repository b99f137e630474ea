// #region main
import { connectMesh, defineService, meshOptions, noMetrics } from '@malha/mesh'
import { openSaga, watchSagas } from '@malha/patterns'
import { orderSaga } from './order-saga.ts'

// Yours is what the service's telemetry gives.
const metrics = noMetrics
await using mesh = await connectMesh({ ...meshOptions(process.env), metrics })
const orders = await openSaga(mesh, orderSaga())
await using _watch = watchSagas(mesh, [orders], { metrics })
await mesh.run(defineService('orders', { handlers: { ...orders.handlers }, publishes: orders.publishes }))
// #endregion
