//! Which parameters are modelled together: those that are always active together.

use tune_plugin::{Domain, Parameter, Space};

use super::column::Axis;

/// Parameters with one joint model: their place in the space and what each is to the model.
pub(crate) type Block = Vec<(usize, Axis)>;

/// Splits a space. Jointly: one block for the unconditional parameters, and with `group` one for
/// each set of equal conditions, else one for each conditional parameter. Not jointly: one a
/// parameter. Single-valued parameters are in none.
pub(crate) fn split(space: &Space, jointly: bool, group: bool) -> Vec<Block> {
    let mut blocks: Vec<(&Parameter, Block)> = Vec::new();
    for (place, parameter) in space.parameters().iter().enumerate() {
        if parameter.domain.cardinality() == Some(1) {
            continue;
        }
        let member = (place, axis(&parameter.domain));
        let shares = jointly && (group || parameter.conditions.is_empty());
        let together = |first: &Parameter| shares && first.conditions == parameter.conditions;
        match blocks.iter_mut().find(|(first, _)| together(first)) {
            Some((_, block)) => block.push(member),
            None => blocks.push((parameter, vec![member])),
        }
    }
    blocks.into_iter().map(|(_, block)| block).collect()
}

/// Ordered alternatives are numbers: their place counts.
fn axis(domain: &Domain) -> Axis {
    match domain {
        Domain::Choice(values) => Axis::Category(values.len() as u32),
        _ => Axis::Number,
    }
}
