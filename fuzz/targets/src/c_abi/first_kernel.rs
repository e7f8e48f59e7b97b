//! What is prepared in the first kernel.

use core::ptr::{null, null_mut};

use capi::image::*;
use capi::map::*;
use capi::object::*;
use capi::sources::*;
use capi::status::*;

use super::{Program, about};

impl Program<'_> {
    pub(super) fn map(&mut self) {
        let error = self.error;
        if self.objects.map.is_none() || self.input.u8() & 7 == 0 {
            let table_len = about(&mut self.input, 24 * 32);
            let table = self.blocks.bytes(table_len).cast();
            init!(self, map, kcap_memory_map_size(), |at, len| kcap_memory_map_init(
                at, len, table, table_len, error
            ));
        }
        let Some(map) = self.objects.map else { return };
        let (kind, index, range) = (self.input.u8(), self.input.below(40), self.blocks.out::<kcap_range>());
        let len = usize::from(self.input.u8());
        let bytes = self.input.bytes(len).to_vec();
        let at = self.blocks.copy(&bytes);
        let (address, span) = (self.input.extreme(), self.blocks.out());
        // SAFETY: all pointers are to what they say.
        unsafe {
            match kind & 3 {
                0 => kcap_memory_map_read_e820(map, at, len.min(bytes.len()), error),
                1 => kcap_memory_map_read_fdt(map, at, bytes.len(), error),
                2 => kcap_memory_map_read_efi(map, at, bytes.len(), 40 + u32::from(kind >> 4), 1, error),
                _ => kcap_memory_map_read_iomem(map, at.cast(), bytes.len(), null_mut(), error),
            };
            kcap_memory_map_get_range(map, index, range);
            kcap_memory_map_set(map, range, error);
            kcap_memory_map_kind_at(map, address);
            kcap_memory_map_next(map, u32::from(kind), address, span);
            assert!(kcap_memory_map_count(map) <= kcap_memory_map_capacity(map));
        }
    }

    pub(super) fn image(&mut self) {
        let error = self.error;
        let bytes = self.input.clone().rest().to_vec();
        let file = self.blocks.copy(&bytes);
        init!(self, image, kcap_image_size(), |at, len| kcap_image_init(at, len, file, bytes.len(), error));
        let Some(image) = self.objects.image else { return };
        // SAFETY: all pointers are to what they say.
        unsafe {
            kcap_image_kind_of(image);
            kcap_image_e_machine(image);
        }
    }

    pub(super) fn object(&mut self) {
        let error = self.error;
        let bytes = if self.input.u8() & 1 == 0 {
            purgatory::X86_64.to_vec()
        } else {
            self.input.clone().rest().to_vec()
        };
        let file = self.blocks.copy(&bytes);
        init!(self, object, kcap_object_size(), |at, len| kcap_object_init(
            at,
            len,
            file,
            bytes.len(),
            error
        ));
        let Some(object) = self.objects.object else { return };
        let (at, len) = (self.input.u64() & !0xfff, about(&mut self.input, 9088));
        let (image, layout, symbol) = (self.blocks.bytes(len), self.blocks.out(), self.blocks.out());
        let parameters = self.blocks.bytes(368);
        // SAFETY: all pointers are to what they say.
        unsafe {
            kcap_object_machine(object);
            kcap_object_get_layout(object, layout, error);
            kcap_object_link(object, at, image, len, error);
            kcap_object_get_symbol(object, c"kcapture_parameters".as_ptr(), symbol, error);
            kcap_object_set_symbol(
                object,
                image,
                len,
                c"kcapture_parameters".as_ptr(),
                parameters,
                368,
                error,
            );
            kcap_object_set_symbol(object, image, len, c"".as_ptr(), null(), 0, error);
        }
    }
}
