//! What this crate is prepared to take from outside, each limit with its reason.
//!
//! The limits bound memory and time for one value; how many values may wait is for the
//! rooms that hold queues.

/// Longest Event text that is indexed, in bytes. The EVTX reader gives up on a record at
/// the same size; what Windows itself writes stays below some hundred kilobytes.
pub const EVENT_TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Deepest element nesting that is followed, the Event element not counted.
pub const EVENT_DEPTH_MAX: usize = 32;

/// Most Data, ComplexData and Binary items of one Event. ETW allows 128 properties and
/// classic events 256 strings; lists inside a template can repeat them.
pub const EVENT_DATA_ITEMS_MAX: usize = 16 * 1024;

/// Most elements, attributes and text runs in the UserData (or its like) of one Event.
pub const EVENT_TREE_NODES_MAX: usize = 16 * 1024;

/// Most keywords of one RenderingInfo: a keyword is one of 64 bits.
pub const RENDERING_KEYWORDS_MAX: usize = 64;

/// Longest source name, and longest subscription name, in a batch header, in bytes.
pub const BATCH_NAME_BYTES_MAX: usize = 4 * 1024;

/// Longest path of a file in a reference to it: what Linux takes.
pub const FILE_PATH_BYTES_MAX: usize = 4 * 1024;

/// Most bytes of the directives that travel with a piece of a log file: the last of three kinds, or the names of some thousand
/// performance counters.
pub const FILE_DIRECTIVES_BYTES_MAX: usize = 256 * 1024;

/// Least that a syslog message may be allowed, in bytes: what the longest prefix, all keys
/// of a profile and its numbers need when every text is cut.
pub const SYSLOG_MESSAGE_MIN: usize = 1024;

/// Most bytes of a syslog message where nothing else is said: what rsyslog takes by default, of a
/// longer one it makes two. RFC 5425 4.3.1 says that receivers should take 8192.
pub const SYSLOG_MESSAGE_DEFAULT: usize = 8_096;

/// Elements open at once in a SOAP envelope.
pub const SOAP_DEPTH_MAX: usize = 64;

/// Bytes of one header value of a SOAP envelope: an address, an identifier, a name.
pub const SOAP_HEADER_BYTES_MAX: usize = 8 * 1024;

/// Events in one delivery. Windows fills envelopes of 512,000 bytes, less than 2,000 events.
pub const SOAP_EVENTS_MAX: usize = 65_536;

/// Subscriptions in one `EnumerateResponse`, as the simulated source reads it.
pub const SOAP_SUBSCRIPTIONS_MAX: usize = 1_024;

/// Bytes of a bookmark. One entry a channel; a query may name some hundred channels.
pub const BOOKMARK_BYTES_MAX: usize = 64 * 1024;

/// Longest boundary of a multipart body (RFC 2046 5.1.1).
pub const MULTIPART_BOUNDARY_BYTES_MAX: usize = 70;

/// Bytes of the headers of all parts of a sealed body, boundaries included: Windows writes some 230.
pub const MULTIPART_HEAD_BYTES_MAX: usize = 1_024;

/// White space behind the closing boundary of a sealed body. Windows writes a line end.
pub const MULTIPART_EPILOGUE_BYTES_MAX: usize = 64;

/// Longest signature in front of sealed data. Kerberos makes 60 bytes of it, or 76.
pub const MULTIPART_SIGNATURE_BYTES_MAX: usize = 1_024;

/// Replaced characters that are located one by one in a text; all that follows counts as lossy.
pub const REPLACEMENTS_LOCATED_MAX: usize = 4_096;

/// Seconds since 1970 of 1990 and of 2100: a clock that shows a time outside was wrong.
pub const SANE_SECONDS: std::ops::Range<i64> = 631_152_000..4_102_444_800;

/// Longest XPath expression, in bytes. The longest of 520 published queries has 2 kB.
pub const XPATH_BYTES_MAX: usize = 64 * 1024;

/// Deepest nesting of brackets in an XPath expression. Published queries have 3 levels of
/// predicates and 4 of parentheses.
pub const XPATH_DEPTH_MAX: usize = 32;

/// Most conditions in an XPath expression. Windows documents 20 and 32; published queries
/// have up to 38.
pub const XPATH_TERMS_MAX: usize = 512;

/// Conditions in an XPath expression above which Windows may refuse it (Query schema,
/// QueryType).
pub const XPATH_TERMS_DOCUMENTED: usize = 32;

/// Most steps of a path in an XPath expression: one for each level of an Event, and some.
pub const XPATH_STEPS_MAX: usize = EVENT_DEPTH_MAX + 4;

/// Most predicates of one step. Published queries have one; `and` joins what is more.
pub const XPATH_PREDICATES_MAX: usize = 8;

/// Longest number in an XPath expression, in bytes: 20 digits hold 64 bits.
pub const XPATH_NUMBER_BYTES_MAX: usize = 32;

/// Longest QueryList, in bytes.
pub const QUERY_LIST_BYTES_MAX: usize = 128 * 1024;

/// Most Selects and Suppresses of one QueryList.
pub const QUERY_LIST_SELECTORS_MAX: usize = 256;

/// Most EventIDs of one selector that are looked up; one of more is asked at every event of
/// its channel.
pub const SELECTOR_IDS_MAX: usize = 256;

/// Most filters in one set.
pub const FILTERS_MAX: usize = 4 * 1024;

/// Most names, and most event ids and ranges, of one list of a selection.
pub const SELECTION_ITEMS_MAX: usize = 256;

/// Longest name in such a list, and longest value with references in it that is compared with one:
/// Windows allows 255 characters.
pub const SELECTION_VALUE_BYTES_MAX: usize = 1024;

/// Longest authenticated name of a machine, in bytes: a DNS name has 253, an account 20 and a
/// realm 255.
pub const MACHINE_NAME_BYTES_MAX: usize = 512;

/// Channels read of what a machine says of those it was asked for: as many as a query can select.
pub const CHANNEL_STATUS_MAX: usize = 256;

/// Longest name of a channel that is followed, in bytes: Windows takes 255 characters. A longer one is
/// passed over and not cut, which would make one channel of two.
pub const CHANNEL_NAME_BYTES_MAX: usize = 255;

/// Most patterns in one list of machines: a large fleet named one by one.
pub const AUDIENCE_PATTERNS_MAX: usize = 100_000;

/// Largest file with a subscription, in bytes: UTF-16, and every `<` of its query a reference.
pub const SUBSCRIPTION_XML_BYTES_MAX: usize = 1024 * 1024;

/// Elements open at once in a file with a subscription: Windows' schema has four.
pub const SUBSCRIPTION_XML_DEPTH_MAX: usize = 8;

/// Most elements in a file with a subscription. The lists of authorities and names are the long
/// ones.
pub const SUBSCRIPTION_XML_ELEMENTS_MAX: usize = 16 * 1024;

/// Most entries of an access list (SDDL): Windows allows 64 kB, about as many.
pub const SDDL_ENTRIES_MAX: usize = 1024;

/// Longest line of a W3C log file, in bytes. HTTP.sys takes requests whose line and headers are 16 KiB each where nobody
/// changed it, and 16 MiB at most.
pub const W3C_LINE_BYTES_MAX: usize = 1024 * 1024;

/// Longest directive of a W3C log file, in bytes.
pub const W3C_DIRECTIVE_BYTES_MAX: usize = 16 * 1024;

/// Most fields that a W3C log file names: 22 are standard, administrators add headers.
pub const W3C_FIELDS_MAX: usize = 128;

/// Largest configuration of Azure Diagnostics, in bytes. Those of real projects have 8 kB at most.
pub const WAD_BYTES_MAX: usize = 1024 * 1024;

/// Elements open at once in such a configuration: its schema has ten.
pub const WAD_DEPTH_MAX: usize = 16;

/// Elements open at once in a schema of such configurations. One whose types have no names needs four for each element that it
/// describes.
pub const WAD_SCHEMA_DEPTH_MAX: usize = 64;

/// Most elements, or objects of JSON, in such a configuration. The counters of a machine are some thousands.
pub const WAD_ELEMENTS_MAX: usize = 32 * 1024;

/// Most attributes of one of its elements, or values of one object: its schema has nine.
pub const WAD_ATTRIBUTES_MAX: usize = 64;

/// Most findings that a check tells one by one.
pub const WAD_FINDINGS_MAX: usize = 1_000;

/// Largest buffer of a trace, in bytes: what Windows allows a session (EVENT_TRACE_PROPERTIES, BufferSize), 16 MiB.
pub const ETL_BUFFER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Smallest buffer that can hold the description of a trace, in bytes: the one of a file put together anew has 1 KiB.
pub const ETL_BUFFER_BYTES_MIN: usize = 512;

/// Bytes of the names of session and file that are read: each is a path of Windows at most.
pub const ETL_NAME_BYTES_MAX: usize = 4 * 1024;

/// Most fields of one template, structures' own among them. Windows allows 128 properties.
pub const ETL_FIELDS_MAX: usize = 1024;

/// Deepest structure in structures of a payload.
pub const ETL_TEMPLATE_DEPTH_MAX: usize = 8;

/// Most fields and values of one payload: as many as it can have bytes.
pub const ETL_VALUES_MAX: usize = 64 * 1024;

/// Bytes of the names of one payload's fields, each as often as it is there.
pub const ETL_NAMES_BYTES_MAX: usize = 256 * 1024;

/// Longest name that a manifest gives something, in bytes: another one is as if it were not there.
pub const ETL_MANIFEST_NAME_BYTES_MAX: usize = 4 * 1024;

/// Most keywords of a provider: each has a bit of 64.
pub const ETL_KEYWORDS_MAX: usize = 64;

/// Largest manifest, in bytes: as much as the parts of one can bring.
pub const ETL_MANIFEST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most elements of a manifest.
pub const ETL_MANIFEST_ELEMENTS_MAX: usize = 256 * 1024;

/// Elements open at once in a manifest: its schema has eight.
pub const ETL_MANIFEST_DEPTH_MAX: usize = 16;

/// Most parts of a manifest that a trace has: each but the last has 65,280 bytes.
pub const ETL_MANIFEST_CHUNKS_MAX: usize = 256;

/// Manifests of which parts are kept at once while they come.
pub const ETL_MANIFESTS_OPEN_MAX: usize = 16;

/// Bytes of all manifests, whole or not, that traces brought and that are kept.
pub const ETL_LEARNED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Largest trace of a failed request, in bytes. IIS cuts at 512 kB unless it is told to take more.
pub const FREB_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most events of one: real ones have some hundred.
pub const FREB_EVENTS_MAX: usize = 64 * 1024;

/// Elements open at once in one: its events have six, of the request's own.
pub const FREB_DEPTH_MAX: usize = 40;

/// Most streams of a minidump: its writers make some twenty.
pub const MINIDUMP_STREAMS_MAX: usize = 1024;

/// Most modules of a minidump that are read. Large programs have some hundred.
pub const MINIDUMP_MODULES_MAX: usize = 4096;

/// Bytes of the name of a module that are read: a path of 2,048 characters, so that a dump that lies about all of its modules
/// costs some ten MiB.
pub const MINIDUMP_NAME_BYTES_MAX: usize = 4 * 1024;

/// Bytes of what names the build of a module that are read: a GUID and a path.
pub const MINIDUMP_RECORD_BYTES_MAX: usize = 1024;

/// Longest line of a file of counters, in bytes. All counters of a large machine are some 20,000 paths.
pub const COUNTERS_LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most counters of one file.
pub const COUNTERS_COLUMNS_MAX: usize = 64 * 1024;

/// UTF-16 units of a PartitionKey or a RowKey: the service says 1 KiB in one place and 1,024 characters in another.
pub const AZURE_KEY_UNITS_MAX: usize = 512;

/// UTF-16 units of a property's name.
pub const AZURE_NAME_UNITS_MAX: usize = 255;

/// UTF-16 units of a text in a property: 64 KiB.
pub const AZURE_TEXT_UNITS_MAX: usize = 32_768;

/// Properties of an entity beside its two keys and its Timestamp.
pub const AZURE_PROPERTIES_MAX: usize = 252;

/// Bytes of an entity, as the service counts them.
pub const AZURE_ENTITY_BYTES_MAX: usize = 1 << 20;

/// Operations of a batch.
pub const AZURE_BATCH_OPERATIONS_MAX: usize = 100;

/// Bytes of a batch's body.
pub const AZURE_BATCH_BYTES_MAX: usize = 4 << 20;

/// Entities of a page: the service gives a thousand at most.
pub const AZURE_PAGE_ENTITIES_MAX: usize = 10_000;

/// UTF-16 units of a blob's name.
pub const AZURE_BLOB_NAME_UNITS_MAX: usize = 1_024;

/// Blocks of a blob, whether it is made of them at once or appended to.
pub const AZURE_BLOCKS_MAX: u32 = 50_000;

/// Blobs of a list: the service gives 5,000 at most.
pub const AZURE_LISTED_BLOBS_MAX: usize = 10_000;

/// Elements inside each other in a list of blobs.
pub const AZURE_LIST_DEPTH_MAX: usize = 8;

/// Characters of the service's own words that are told.
pub const AZURE_TOLD_CHARS_MAX: usize = 300;

/// UTF-16 code units of each of deployment, role and instance in a RowKey, which has the three of them and a number.
pub const AZURE_ORIGIN_UNITS_MAX: usize = 160;
