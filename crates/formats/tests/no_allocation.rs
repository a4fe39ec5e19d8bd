//! Evaluating an event query allocates nothing, whatever it asks for; nor does finding out whom a
//! subscription is for.
#![allow(clippy::unwrap_used)]
#![expect(
    unsafe_code,
    reason = "an allocator that counts is unsafe by its interface"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use windrow_formats::event::{Event, Index, parse};
use windrow_formats::wef::audience::{Audience, MachineName, Pattern};
use windrow_formats::xpath::{Filter, FilterSet, Matches};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is ours.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

const EVENTS: [&str; 2] = [
    "<Event><System><Provider Name='P&amp;Q' Guid='{54849625-5478-4994-a5ba-3e3b0328c30d}'/>\
     <EventID>4624</EventID><Keywords>0x8020000000000000</Keywords>\
     <TimeCreated SystemTime='2026-03-14T13:54:16.6138329Z'/><Channel>Secu&#114;ity</Channel></System>\
     <EventData><Data Name='A&lt;'>x&amp;y</Data><Data Name='B'>&#48;x3e7</Data>\
     <Data Name='T'>2026-03-14T13:00:00&#90;</Data></EventData></Event>",
    "<Event><System><EventID>104</EventID><Channel>System</Channel></System><UserData><L K='v&gt;'>\
     <M>&#49;</M><N><O>2</O>&amp;</N></L></UserData><RenderingInfo Culture='en'><Keywords>\
     <Keyword>a&amp;b</Keyword></Keywords></RenderingInfo></Event>",
];

const QUERIES: [&str; 12] = [
    "*",
    "security!*[System[EventID=4624 and Provider[@Name='P&Q']]]",
    "*[System[Provider[@Guid='{54849625-5478-4994-A5BA-3E3B0328C30D}']]]",
    "*[System[band(Keywords,0x20000000000000)]]",
    "*[System[TimeCreated[timediff(@SystemTime)<86400000 and @SystemTime>'2026-01-01T00:00:00Z']]]",
    "Security!*[EventData[Data[@Name='A<']='x&y' and Data[2]!='q']]",
    "*[EventData[Data[@Name='B']=999 and band(Data[@Name='B'],1) and Data[@Name='B']='0x3E7']]",
    "*[EventData[Data[@Name='T'][1]>'2026-03-14T12:59:59Z' and timediff(Data[3])>0]]",
    "System!*[UserData/*[@K='v>']/M=1]",
    "*[UserData/L/N[O=2]/text()='&' and UserData/*/*[2]/O]",
    "*[RenderingInfo/Keywords/Keyword='a&b']",
    "<QueryList><Query><Select Path='Security'>*</Select><Suppress Path='security'>\
     *[EventData[Data='nothing']]</Suppress></Query></QueryList>",
];

#[test]
fn evaluating_allocates_nothing() {
    let now = "2026-03-14T14:00:00Z".parse().unwrap();
    let filters: Vec<_> = QUERIES
        .iter()
        .map(|query| Filter::compile(query).unwrap())
        .collect();
    let set = FilterSet::new(filters.clone()).unwrap();
    let mut matches = Matches::new();
    let mut selected = vec![false; filters.len()];
    for text in EVENTS {
        let mut index = Index::new();
        parse(text, &mut index).unwrap();
        let event = Event::new(text, &index);
        set.find(event, now, &mut matches);
        let count = allocations(|| {
            for (filter, selected) in filters.iter().zip(&mut selected) {
                *selected |= black_box(filter.matches(event, now));
            }
            set.find(event, now, &mut matches);
            black_box(set.any(event, now));
        });
        assert_eq!(count, 0, "{text}");
    }
    assert!(selected.iter().all(|&selected| selected), "{selected:?}");
    assert!(allocations(|| drop(black_box(String::from("x")))) > 0);
}

#[test]
fn asking_whom_a_subscription_is_for_allocates_nothing() {
    let patterns = ["ws00001", "WS*", "*.corp.example", "*$@CORP.?XAMPLE", "ä*"];
    let compiled = patterns.map(|text| Pattern::compile(text).unwrap());
    let audience = Audience::new(compiled.to_vec(), compiled[..1].to_vec()).unwrap();
    let names = [
        MachineName::of_certificate("Ws00002.corp.example").unwrap(),
        MachineName::of_certificate("other").unwrap(),
        MachineName::of_principal("ws00001$", "corp.example").unwrap(),
        MachineName::of_principal("ÄB$", "corp.example").unwrap(),
    ];
    let count = allocations(|| {
        for name in &names {
            black_box(audience.matches(name));
        }
    });
    assert_eq!(count, 0);
}
