//! The QueryList that asks Windows for what the DataSources of event logs name.

use std::fmt::Write as _;

use super::model::{DataSource, WindowsEventLog};

impl WindowsEventLog {
    /// A query for each DataSource, since what any of them selects is collected.
    ///
    /// # Errors
    /// The first DataSource that names no channel: nothing can be asked for there.
    pub fn query_list(&self) -> Result<String, &DataSource> {
        let mut list = String::from("<QueryList>\n");
        let mut seen = Vec::new();
        for source in &self.data_source {
            let name = &source.name;
            let channel = name.channel().ok_or(source)?;
            if seen.contains(&(channel, name.xpath())) {
                continue;
            }
            let [path, xpath] = [channel, name.xpath()].map(quick_xml::escape::partial_escape);
            let path = path.replace('"', "&quot;");
            let id = seen.len();
            // Writing to a String does not fail.
            let _ = writeln!(
                list,
                "  <Query Id=\"{id}\"><Select Path=\"{path}\">{xpath}</Select></Query>"
            );
            seen.push((channel, name.xpath()));
        }
        list.push_str("</QueryList>");
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::xpath::check_query_list;

    fn list(sources: &[&str]) -> Result<String, String> {
        let sources = sources.iter().map(|name| {
            format!(
                "<DataSource name=\"{}\"/>",
                quick_xml::escape::escape(*name)
            )
        });
        let text = format!(
            "<PublicConfig xmlns='{}'><WadCfg><DiagnosticMonitorConfiguration>\
             <WindowsEventLog scheduledTransferPeriod='PT1M'>{}</WindowsEventLog>\
             </DiagnosticMonitorConfiguration></WadCfg></PublicConfig>",
            super::super::NAMESPACE,
            sources.collect::<String>()
        );
        let public = read(text.as_bytes()).configuration.unwrap().public.unwrap();
        let log = public.wad_cfg.unwrap().monitor.windows_event_log.unwrap();
        let list = log.query_list();
        list.map_err(|source| source.name.as_str().to_owned())
    }

    #[test]
    fn each_data_source_is_a_query_and_windows_takes_the_list() {
        let made = list(&[
            "Security!*[System[(EventID >= 4944 and EventID <= 4958)]]",
            " Windows Azure !*",
            "Application!",
            "Application!*",
        ]);
        let made = made.unwrap();
        assert_eq!(check_query_list(&made), Ok(()));
        insta::assert_snapshot!(made, @r#"
        <QueryList>
          <Query Id="0"><Select Path="Security">*[System[(EventID &gt;= 4944 and EventID &lt;= 4958)]]</Select></Query>
          <Query Id="1"><Select Path="Windows Azure">*</Select></Query>
          <Query Id="2"><Select Path="Application">*</Select></Query>
        </QueryList>
        "#);
    }

    #[test]
    fn one_without_a_channel_is_named() {
        assert_eq!(list(&["System!*", "*"]), Err("*".to_owned()));
    }
}
