//! Traces as the Reporting Web Service gives them, about 800 bytes each.

use std::ops::Range;

pub fn trace(number: usize) -> String {
    let url = format!("https://reports.office365.com/ecp/ReportingWebService/Reporting.svc/MessageTrace({number})");
    let status = ["Delivered", "Delivered", "Delivered", "Failed", "FilteredAsSpam", "GettingStatus"][number % 6];
    let to_ip = ["null", "\"198.51.100.17\""][number % 2];
    format!(
        "{{\"__metadata\":{{\"id\":\"{url}\",\"uri\":\"{url}\",\"type\":\"TenantReporting.MessageTrace\"}},\
         \"Organization\":\"contoso.onmicrosoft.com\",\
         \"MessageId\":\"<{number:08x}-cd65-4335-96ec-5f6934f0fb10@mail.fabrikam.example>\",\
         \"Received\":\"\\/Date({})\\/\",\"SenderAddress\":\"person{number}@mail.fabrikam.co.uk\",\
         \"RecipientAddress\":\"Someone.Else{number}@contoso.example\",\
         \"Subject\":\"Minutes of the meeting number {number} on the new warehouse, draft for comments\",\
         \"Status\":\"{status}\",\"ToIP\":{to_ip},\"FromIP\":\"203.0.113.{}\",\"Size\":{},\
         \"MessageTraceId\":\"{number:08x}-180d-4c2f-60c9-08da6e38dd10\",\
         \"StartDate\":\"\\/Date(1658579297628)\\/\",\"EndDate\":\"\\/Date(1658752097628)\\/\",\"Index\":{number}}}",
        1_658_751_973_240 + number * 977,
        number % 256,
        20_000 + number * 31,
    )
}

/// The traces of these numbers as one answer.
pub fn page(numbers: Range<usize>) -> String {
    let traces: Vec<String> = numbers.map(trace).collect();
    format!("{{\"d\":{{\"results\":[{}]}}}}", traces.join(","))
}
