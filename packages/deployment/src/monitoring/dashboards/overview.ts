import type { Dashboard } from './dashboard.ts'

const OF = '{service=~"$service"}'
const DRILL_DOWN = {
  title: 'Handler',
  url: '/d/malha-handler?var-service=${__field.labels.service}&var-handler=${__field.labels.handler}&${__url_time_range}',
}
const EACH = '{{service}}/{{handler}}'

export const overview: Dashboard = {
  uid: 'malha-overview',
  title: 'overview',
  description: 'Every handler at a glance: what comes, what fails, how old it is, and how much of the budget is left.',
  choices: [{ name: 'service', label: 'Service', values: 'label_values(mesh_build_info, service)' }],
  rows: {
    'At a glance': [
      {
        title: 'Alerts',
        description: 'Firing now.',
        unit: 'short',
        as: 'stat',
        queries: { alerts: 'count(ALERTS{alertstate="firing", severity=~"page|ticket"}) or vector(0)' },
      },
      {
        title: 'Handled',
        description: 'Deliveries that ended well, a second.',
        unit: 'ops',
        as: 'stat',
        queries: { ok: `sum(malha:handler_deliveries:rate5m{service=~"$service", outcome="ok"})` },
      },
      {
        title: 'Oldest event',
        description: 'Age of the oldest event that a handler has not settled.',
        unit: 's',
        as: 'stat',
        queries: { oldest: `max(malha:handler_oldest_seconds:max${OF})` },
      },
      {
        title: 'Dead letters, 24 h',
        description: 'Somebody has to decide about each.',
        unit: 'short',
        as: 'stat',
        queries: { letters: `sum(increase(mesh_dead_letters_total${OF}[24h])) or vector(0)` },
      },
      {
        title: 'Breakers not closed',
        description: 'Handlers that wait for a partner.',
        unit: 'short',
        as: 'stat',
        queries: { open: `count(max by (namespace, service, handler) (mesh_breaker_state${OF}) > 0) or vector(0)` },
      },
      {
        title: 'Processes',
        description: 'Processes of the mesh that answer.',
        unit: 'short',
        as: 'stat',
        queries: { processes: 'count(mesh_build_info)' },
      },
    ],
    'Rate, errors, duration': [
      {
        title: 'Deliveries by outcome',
        description: 'Retries are no failures; dead and invalid ones are.',
        unit: 'ops',
        queries: { '{{outcome}}': `sum by (outcome) (malha:handler_deliveries:rate5m${OF})` },
      },
      {
        title: 'Top failing handlers',
        description: 'Attempts that did not end well, a second.',
        unit: 'ops',
        queries: {
          [EACH]: `topk(5, sum by (service, handler) (malha:handler_deliveries:rate5m{service=~"$service", outcome!="ok"}))`,
        },
        leadsTo: DRILL_DOWN,
      },
      {
        title: 'Duration, 95th percentile',
        description: 'Time in the handler, its outputs included.',
        unit: 's',
        queries: { [EACH]: `malha:handler_duration_seconds:p95_5m${OF}` },
        leadsTo: DRILL_DOWN,
      },
      {
        title: 'Dead letters',
        description: 'By handler and reason.',
        unit: 'short',
        queries: {
          '{{service}}/{{handler}} {{code}}': `sum by (service, handler, code) (increase(mesh_dead_letters_total${OF}[5m]))`,
        },
        leadsTo: DRILL_DOWN,
      },
    ],
    Lag: [
      {
        title: 'Lag in events',
        description: 'Not yet delivered.',
        unit: 'short',
        queries: { [EACH]: `malha:handler_pending:max${OF}` },
        leadsTo: DRILL_DOWN,
      },
      {
        title: 'Lag in time',
        description: 'Age of the oldest event that is not settled.',
        unit: 's',
        queries: { [EACH]: `malha:handler_oldest_seconds:max${OF}` },
        leadsTo: DRILL_DOWN,
      },
    ],
    Objectives: [
      {
        title: 'Budget of success left, 3 days',
        description: 'Of 1000 messages 999 are handled in the end. Below 0 it is used up.',
        unit: 'percentunit',
        queries: {
          '{{service}}': `1 - malha:service_success_misses:ratio_rate3d${OF} / on () group_left () malha:service_success:budget_ratio`,
        },
      },
      {
        title: 'Budget of freshness left, 3 days',
        description: 'Of 100 messages 99 are started within 30 seconds. Below 0 it is used up.',
        unit: 'percentunit',
        queries: {
          '{{service}}': `1 - malha:service_freshness_misses:ratio_rate3d${OF} / on () group_left () malha:service_freshness:budget_ratio`,
        },
      },
    ],
    'What goes out': [
      {
        title: 'Published by outcome',
        description: 'Queued ones are in a spool, and counted again when they are stored.',
        unit: 'ops',
        queries: { '{{outcome}}': 'sum by (outcome) (rate(messaging_client_sent_messages_total[5m]))' },
      },
      {
        title: 'From publish to stored, 95th percentile',
        description: 'How long the server takes to say that an event is stored.',
        unit: 's',
        queries: {
          '{{messaging_destination_template}}':
            'histogram_quantile(0.95, sum by (messaging_destination_template, le) (rate(messaging_client_operation_duration_seconds_bucket[5m])))',
        },
      },
      {
        title: 'Requests by outcome',
        description: 'A refusal is an answer; no-responder, busy, timeout and failed are none.',
        unit: 'ops',
        queries: { '{{type}} {{outcome}}': 'sum by (type, outcome) (rate(mesh_request_duration_seconds_count[5m]))' },
      },
      {
        title: 'HTTP requests by status',
        description: 'Of the services with an API.',
        unit: 'ops',
        queries: {
          '{{http_route}} {{http_response_status_code}}':
            'sum by (http_route, http_response_status_code) (rate(http_server_request_duration_seconds_count[5m]))',
        },
        exemplars: true,
      },
      {
        title: 'Spool',
        description: 'Events that wait on a disk for the broker.',
        unit: 'short',
        queries: { '{{instance}} {{stream}}': 'mesh_spool_entries' },
      },
      {
        title: 'Spans dropped',
        description: 'Traces have holes where this is above 0.',
        unit: 'ops',
        queries: { '{{reason}}': 'sum by (reason) (rate(mesh_spans_dropped_total[5m]))' },
      },
    ],
  },
}
