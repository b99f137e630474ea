/** Told apart from any other server by this macro: `SELECT getMacro('malha')`. */
const macros = (token: string): string => `<macros><malha>${token}</malha></macros>`

/** For the engine inside chDB, which takes the folder and the port as arguments. */
export function engineConfig(token: string): string {
  return `<clickhouse>\n  ${macros(token)}\n</clickhouse>\n`
}

/** For a `clickhouse` binary: one HTTP listener on 127.0.0.1, one user without a password, everything below `dataDir`. */
export function serverConfig({ token, dataDir, port }: { token: string; dataDir: string; port: number }): string {
  const at = (folder: string): string => escapeXml(`${dataDir}/${folder}`)
  return `<clickhouse>
  ${macros(token)}
  <logger><level>warning</level><console>true</console></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>${port}</http_port>
  <path>${at('store')}/</path>
  <tmp_path>${at('tmp')}/</tmp_path>
  <user_files_path>${at('user_files')}/</user_files_path>
  <format_schema_path>${at('format_schemas')}/</format_schema_path>
  <mark_cache_size>268435456</mark_cache_size>
  <user_directories><users_xml><path>${at('config.xml')}</path></users_xml></user_directories>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
    </default>
  </users>
</clickhouse>
`
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
